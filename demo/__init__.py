"""A library of videos in; a Gradio page to search it, recognise its videos and look inside the model out."""
