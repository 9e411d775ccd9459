"""What several tabs share: cards, heat maps, messages."""
