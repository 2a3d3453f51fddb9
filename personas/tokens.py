"""How many tokens a text is, about: no vendor is asked, and none counts as another does."""

# English has about four bytes to a token; other scripts take more bytes, and more tokens.
BYTES_OF_A_TOKEN = 4


def tokens_of(text: str) -> int:
    return -(-len(text.encode(errors="replace")) // BYTES_OF_A_TOKEN)
