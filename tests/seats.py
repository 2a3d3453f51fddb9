"""Interviews that have begun, in a running installation: who may sit down at which chat."""

import json

SEED = """
import json, sys
import django
django.setup()
from config.api.models import Account
from crm.contacts import resolve
from interviews.models import Guide, Question
from interviews.starting import begin, invite
from personas.models import Persona
people, questions, depth = map(int, sys.argv[1:4])
account, _ = Account.objects.get_or_create(slug="default", defaults={"name": "Seats"})
persona, _ = Persona.objects.get_or_create(
    account=account, slug="seats", defaults={"name": "Nora", "kind": "interviewer"}
)
guide = Guide.objects.create(account=account, persona=persona, name="Seats", goal="Try.", consent_text="Yes.")
for number in range(questions):
    text = f"Question {number}: how do you plan your week?"
    Question.objects.create(guide=guide, position=number, key=f"q{number}", text=text, probe_depth=depth)
seats = []
for number in range(people):
    contact, _ = resolve(account, email=f"person{number}@example.com", name="Ada", source="test")
    invitation = invite(guide, contact)
    begin(invitation.interview.pk, consent_evidence={"test": True})
    seats.append({
        "conversation": str(invitation.interview.conversation_id),
        "token": invitation.token,
        "interview": str(invitation.interview.pk),
    })
print(json.dumps(seats))
"""


def take_seats(house, people=1, *, questions=5, probe_depth=0):
    """For each person `{"conversation", "token", "interview"}`; `house` is a running Installation."""
    words = map(str, (people, questions, probe_depth))
    return json.loads(house.run("-c", SEED, *words).splitlines()[-1])


def live(session, house, seat, **options):
    """The socket of a chat, as the page of that person opens it."""
    address = f"{house.url.replace('http', 'ws', 1)}/chat/{seat['conversation']}/live"
    headers = {"Cookie": f"rapport_link={seat['token']}"}
    return session.ws_connect(address, origin=house.url, headers=headers, **options)
