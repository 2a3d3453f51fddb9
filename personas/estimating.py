"""What a call took that no vendor counted: a reply that was cut off, a server that tells no numbers.

An estimate, and kept as one: a budget that knew nothing of such calls could be passed by leaving early.
"""

from dataclasses import replace

from django.conf import settings

from personas.providers.base import Done, Prompt
from personas.providers.messages import chat_messages
from personas.providers.registry import is_model
from personas.tokens import tokens_of

TOKENS_AROUND_A_MESSAGE = 4


def with_estimates(done: Done, prompt: Prompt, said: str) -> Done:
    """`done` with what it does not tell estimated from the words. Without a model nothing was used."""
    if not is_model(done.provider) or None not in (done.prompt_tokens, done.completion_tokens):
        return done
    asked = tokens_of_prompt(prompt) if done.prompt_tokens is None else done.prompt_tokens
    answered = tokens_of(said) if done.completion_tokens is None else done.completion_tokens
    return replace(done, prompt_tokens=asked, completion_tokens=answered, is_estimated=True)


def cut_off(provider: str, prompt: Prompt, said: str) -> Done:
    """Of a reply that ended before its end."""
    model = prompt.model or str(settings.PROVIDERS.get(provider, {}).get("MODEL", ""))
    return with_estimates(Done(provider=provider, model=model), prompt, said)


def tokens_of_prompt(prompt: Prompt) -> int:
    return sum(tokens_of(one["content"]) + TOKENS_AROUND_A_MESSAGE for one in chat_messages(prompt))
