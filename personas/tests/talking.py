"""Short ways for tests to ask a provider and to read what came."""

from contextlib import aclosing

from personas.providers.base import Act, Delta, Done, Prompt, Source, Turn, TurnPlan


def asking(text="What do you do at work?", **fields):
    """A prompt whose plan asks that question."""
    fields.setdefault("turns", [Turn("user", "Hello")])
    return Prompt(system="You are Nora.", plan=TurnPlan(act=Act.ASK, say=text), **fields)


def answering(question, *passages, **fields):
    """A prompt that asks for an answer from passages."""
    sources = [Source(number, f"Note {number}", text) for number, text in enumerate(passages, 1)]
    return Prompt(
        system="", turns=[Turn("user", question)], plan=TurnPlan(act=Act.ANSWER), sources=sources, **fields
    )


async def reply_of(stream):
    """The text, and the end. Fails when anything comes after the end."""
    text, done = "", None
    async with aclosing(stream):
        async for part in stream:
            assert done is None, "nothing comes after Done"
            if isinstance(part, Delta):
                assert part.text, "a delta is never empty"
                text += part.text
            else:
                assert isinstance(part, Done)
                done = part
    assert done is not None
    return text, done
