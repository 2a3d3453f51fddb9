"""Speech written down by the first provider of a persona's chain that can hear."""

from config.api.models import Account
from personas import budget
from personas.metering import Call
from personas.models import Persona
from personas.providers.base import Audio, Done, ProviderError, Transcription
from personas.providers.counting import counted
from personas.providers.registry import is_model, provider
from personas.speaking import ready_chain


async def transcribe(persona: Persona | None, audio: Audio, *, account: Account) -> Transcription:
    """Raises the last provider's ProviderError, its code `unsupported` when there is none that can hear."""
    message = "No service that can listen is connected."
    failure = ProviderError("unsupported", message, retryable=False)
    chain = [name for name in await ready_chain(persona, account) if is_model(name)]
    if chain and await budget.is_exhausted(account):
        raise budget.exhausted()
    for name in chain:
        try:
            return await _by(name, persona, audio, account)
        except ProviderError as error:
            # That another provider is deaf says nothing about why the one that can hear did not.
            failure = failure if error.code == "unsupported" else error
    raise failure


async def _by(name: str, persona: Persona | None, audio: Audio, account: Account) -> Transcription:
    call = Call(name, account, persona)
    try:
        with counted() as tally:
            heard = await provider(name, account=account).transcribe(audio)
        call.count(Done(name, heard.model, tally.tokens or 0, 0))
        return heard
    finally:
        call.end()
