"""Parts that several tabs share: cards, heat maps, messages."""
