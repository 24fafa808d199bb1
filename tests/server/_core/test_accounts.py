"""Users and addresses while they have connections, and while they owe something."""

from __future__ import annotations

import pytest

from weft.limits import ServerLimits
from weft.server._core.accounts import Accounts, account_key
from weft.server._core.rates import QUESTIONS


def test_no_more_connections_are_let_in_than_may_be() -> None:
    accounts = Accounts(ServerLimits(max_connections_per_user=2), "user", clock=lambda: 0.0)
    first = accounts.enter("ada")
    assert first is not None
    assert accounts.enter("ada") is first
    assert accounts.enter("ada") is None
    assert accounts.enter("bob") is not None
    accounts.leave(first)
    assert accounts.enter("ada") is first


def test_who_has_gone_is_forgotten_when_it_owes_nothing() -> None:
    now = 0.0
    accounts = Accounts(ServerLimits(rate_burst=1.0, address_rates=1), "address", clock=lambda: now)
    ada, bob = accounts.enter("ada"), accounts.enter("bob")
    assert ada is not None
    assert bob is not None
    ada.meter.take_one(QUESTIONS, 5_000, now)
    accounts.leave(ada)
    accounts.leave(bob)
    assert accounts.enter("ada") is ada  # to come back is no way to be rid of what is owed
    accounts.leave(ada)
    eve = accounts.enter("eve")
    assert len(accounts) == 2  # ada and eve
    now = 1e9
    assert accounts.enter("eve") is eve
    assert len(accounts) == 1


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3::4", "20010db800010002"),
        ("2001:db8:1:2:ffff::", "20010db800010002"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("fe80::1%eth0", "fe80000000000000"),
        ("a path", "a path"),
    ],
)
def test_addresses_of_one_machine_are_one(address: str, key: str) -> None:
    assert account_key(address) == key
