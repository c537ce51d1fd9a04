"""The chain of kinds that a plug-in on the hosts provides. The plug-in itself checks its own part, on the host."""

from gateway.validation.chain import Draft, Step, World


def _recipe_available(draft: Draft, world: World) -> None:
    if not any(draft.kind in host.kinds for host in world.hosts()):
        # A host with the plug-in may join later; the job waits for it.
        draft.warnings.append(f"no trainer host with a recipe for {draft.kind} is up; the job waits until one joins")


STEPS = (Step("recipe_available", _recipe_available),)
