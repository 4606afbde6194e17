"""What comes from outside and has a form: names, texts, numbers."""
