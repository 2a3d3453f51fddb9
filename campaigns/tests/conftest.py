"""What every test of campaigns leaves behind, nothing open; and what several begin with."""

import pytest

from campaigns import inviting, sending, states
from campaigns.lanes import POOL
from campaigns.models import Delivery
from tests.factories import make_campaign, make_contact


@pytest.fixture(autouse=True)
def _no_kept_connections():
    """The mail servers of one test are gone in the next; their connections would be found open much later."""
    yield
    POOL.close()


@pytest.fixture
def sent():
    """One invitation to ada@example.com, sent."""
    campaign = make_campaign()
    campaign.recipients.create(contact=make_contact(campaign.account, email="ada@example.com"))
    states.begin(campaign.pk)
    inviting.invite_people(campaign.pk)
    sending.send_due(None)
    return Delivery.objects.get()
