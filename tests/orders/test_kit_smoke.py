def test_it_works(open_market, trader):
    from orders.services import submit
    from papertrade.lifecycle import open_account

    a = open_account(user=trader)
    s = submit(
        account=a, payload={"symbol": "IBM", "qty": "10", "side": "buy", "type": "market", "time_in_force": "day"}
    )
    print(s.order.status, s.order.average_fill_price, open_market.now())
    assert s.order.status == "filled"
    open_market.advance("14:01:30")
    assert 0


def test_c(committed, open_market, trader):
    pass


def test_d(open_market, trader):
    pass
