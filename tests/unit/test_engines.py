"""The engines of speed are known by name, and nothing of them is imported for that."""

from utils.rank import runtimes


def test_they_are_known_without_being_imported_and_may_be_registered_twice(monkeypatch):
    monkeypatch.setattr(runtimes, "MODULES", dict(runtimes.MODULES))
    from utils.speed import engines

    engines.register_engines()
    engines.register_engines()
    assert {"stored_ids", "stored_vectors", "cascade", "pytorch_compiled"} <= set(runtimes.known())
    for name in (engines.STORED_IDS, engines.STORED_VECTORS, engines.CASCADE):
        assert runtimes.named(name).name == name
