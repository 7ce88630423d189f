"""How much of each pool a cohort and each of its learners hold, against how much they may. Pure."""

from collections import Counter
from collections.abc import Iterable

from hub.gpu.model import Demand
from hub.gpu.parts import compute_of
from hub.leases.model import Lease, Quota, Wait


def size_milli(demand: Demand) -> int:
    """What a share counts for: thousandths of its devices, or of CPUs where it has none."""
    return compute_of(demand) if demand.devices else demand.cpu_milli


class Quotas:
    """The quotas there are, and what is held now by offered and held leases. An ask without a quota has no limit."""

    def __init__(self, quotas: Iterable[Quota] = ()) -> None:
        self._quotas = {(quota.cohort, quota.pool): quota for quota in quotas}
        self._of_cohort: Counter[tuple[str, str]] = Counter()
        self._of_learner: Counter[tuple[str, str, str]] = Counter()

    def all(self) -> list[Quota]:
        """Every quota, by cohort and pool."""
        return [self._quotas[key] for key in sorted(self._quotas)]

    def set(self, quota: Quota) -> None:
        self._quotas[quota.cohort, quota.pool] = quota

    def forget_use(self) -> None:
        """Count from nothing again."""
        self._of_cohort.clear()
        self._of_learner.clear()

    def take(self, lease: Lease) -> None:
        """Count what the lease holds."""
        self._count(lease, size_milli(lease.demand))

    def give_back(self, lease: Lease) -> None:
        """Count it no longer."""
        self._count(lease, -size_milli(lease.demand))

    def cohort_admits(self, cohort: str, pool: str, size: int) -> bool:
        """Whether the cohort may hold so much more of the pool."""
        quota = self._quotas.get((cohort, pool))
        return quota is None or quota.cohort_milli is None or self._of_cohort[cohort, pool] + size <= quota.cohort_milli

    def learner_admits(self, cohort: str, owner: str, pool: str, size: int) -> bool:
        """Whether this person may."""
        quota = self._quotas.get((cohort, pool))
        if quota is None or quota.learner_milli is None:
            return True
        return self._of_learner.get((cohort, owner, pool), 0) + size <= quota.learner_milli

    def room(self, cohort: str, owner: str, pool: str, size: int) -> int | None:
        """How many more shares of this size both quotas admit; None without a limit."""
        quota = self._quotas.get((cohort, pool))
        if quota is None or not size:
            return None
        limits = (
            (quota.cohort_milli, self._of_cohort[cohort, pool]),
            (quota.learner_milli, self._of_learner.get((cohort, owner, pool), 0)),
        )
        return min([max(0, most - held) // size for most, held in limits if most is not None], default=None)

    def never_admits(self, cohort: str, pool: str, size: int) -> Wait | None:
        """Which quota is smaller than the share itself, so that waiting would be in vain."""
        quota = self._quotas.get((cohort, pool))
        if quota is None:
            return None
        if quota.cohort_milli is not None and size > quota.cohort_milli:
            return Wait.COHORT_QUOTA
        if quota.learner_milli is not None and size > quota.learner_milli:
            return Wait.LEARNER_QUOTA
        return None

    def _count(self, lease: Lease, size: int) -> None:
        self._of_cohort[lease.ask.cohort, lease.pool] += size
        learner = lease.ask.cohort, lease.ask.owner, lease.pool
        self._of_learner[learner] += size
        if not self._of_learner[learner]:
            del self._of_learner[learner]  # else everybody who ever held a share would be remembered
