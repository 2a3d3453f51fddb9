"""How dates are written, by language, where Django's own way is too long for a list."""
