"""One engine that refuses takes nothing from the others."""

import io
from typing import Any

import pytest
from rich.console import Console

from spikeport.backends.conformance import make
from spikeport.core.errors import BackendError, QuantisationError, UnknownBackend
from spikeport.verify.report.facts import facts
from spikeport.verify.report.page import page
from spikeport.verify.report.table import show
from spikeport.verify.run import Request, Verification, verify


def verified(*names: str) -> Verification:
    """Neurons that reset to a value, which the chip's integers do not."""
    case = make("reset_to_value_per_neuron")
    x = next(iter(case.inputs.values()))
    engines = [Request(name) for name in names]
    return verify(case.network, [(x, None), (x, None)], engines, calibration=lambda: x)


def test_the_others_have_their_rows() -> None:
    result = verified("loihi", "reference", "norse")
    assert [o.run.request.name for o in result.outcomes] == ["reference", "norse"]
    assert not any(o.complaints for o in result.outcomes)
    (refusal,) = result.refused
    assert refusal.name == "loihi" and "reset" in refusal.reason
    assert result.verdict == "incomplete" and not result.agrees
    told = facts(result, {})
    assert told["verdict"] == "incomplete"
    assert told["refused"] == [{"name": "loihi", "reason": refusal.reason}]
    out = io.StringIO()
    show(told, Console(file=out, width=200))
    assert f"loihi refuses: {refusal.reason}" in out.getvalue()
    assert "not run: loihi" in out.getvalue()
    html = page(told, result)
    assert "<b>loihi</b> refuses" in html and "not every engine ran it" in html


def test_one_that_gives_up_on_the_way(monkeypatch: pytest.MonkeyPatch) -> None:
    from spikeport.backends.norse import Norse

    opened = Norse.open

    def open_once(self: Any, network: Any) -> Any:
        session = opened(self, network)
        run, batches = session.run, iter(range(2))

        def once(*given: Any, **how: Any) -> Any:
            if next(batches):
                raise BackendError("norse has had enough")
            return run(*given, **how)

        monkeypatch.setattr(session, "run", once)
        return session

    monkeypatch.setattr(Norse, "open", open_once)
    result = verified("norse", "reference")
    assert [o.run.request.name for o in result.outcomes] == ["reference"]
    assert result.refused[0].reason == "norse has had enough"
    assert result.samples == result.outcomes[0].run.tally.samples


def test_where_all_refuse_it_is_said() -> None:
    with pytest.raises(QuantisationError, match="reset"):
        verified("loihi")
    with pytest.raises(QuantisationError, match="reset"):
        verified("loihi", "loihi")
    with pytest.raises(UnknownBackend):
        verified("reference", "brian")
