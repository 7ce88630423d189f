"""NVML as `pynvml` shows it, of a machine made up in a test: same names, same shapes, same errors by number."""

from dataclasses import dataclass, field

MIB = 1024 * 1024
DRIVER_NOT_LOADED, NOT_SUPPORTED, NOT_FOUND, GPU_IS_LOST, UNKNOWN, UNINITIALIZED = 9, 3, 6, 15, 999, 1


class FakeError(Exception):
    """Like `pynvml.NVMLError`: the code is in `value`."""

    def __init__(self, value: int) -> None:
        super().__init__(value)
        self.value = value

    def __str__(self) -> str:
        return f"error {self.value}"


@dataclass
class Memory:
    total: int
    used: int


@dataclass
class Attributes:
    multiprocessorCount: int  # noqa: N815 - NVML's names
    gpuInstanceSliceCount: int  # noqa: N815
    computeInstanceSliceCount: int  # noqa: N815
    memorySizeMB: int  # noqa: N815


@dataclass
class Rates:
    gpu: int
    memory: int


@dataclass
class FakePart:
    """A MIG instance."""

    uuid: str
    name: str
    attributes: Attributes


@dataclass
class FakeGpu:
    uuid: str
    name: str = "NVIDIA H100 80GB HBM3"
    memory_mib: int = 81_559
    cores: int = 16_896
    capability: tuple[int, int] = (9, 0)
    minor: int = 0
    mig: list[FakePart | None] | None = None
    lost: bool = False
    mig_supported: bool = True


@dataclass
class FakeNvml:
    """A driver with `gpus`. `init_error` and `count_error` make those calls fail."""

    gpus: list[FakeGpu] = field(default_factory=list)
    init_error: int | None = None
    count_error: int | None = None
    sessions: int = 0
    NVMLError: type[Exception] = FakeError

    def nvmlInit(self) -> None:  # noqa: N802 - NVML's names, here and below
        if self.init_error is not None:
            raise FakeError(self.init_error)
        self.sessions += 1

    def nvmlShutdown(self) -> None:  # noqa: N802
        self.sessions -= 1

    def nvmlSystemGetDriverVersion(self) -> str:  # noqa: N802
        self._ready()
        return "580.95.05"

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802
        self._ready()
        if self.count_error is not None:
            raise FakeError(self.count_error)
        return len(self.gpus)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> FakeGpu:  # noqa: N802
        self._ready()
        return self.gpus[index]

    def nvmlDeviceGetName(self, handle: FakeGpu | FakePart) -> str:  # noqa: N802
        return self._here(handle).name

    def nvmlDeviceGetUUID(self, handle: FakeGpu | FakePart) -> str:  # noqa: N802
        return self._here(handle).uuid

    def nvmlDeviceGetMinorNumber(self, handle: FakeGpu) -> int:  # noqa: N802
        return handle.minor

    def nvmlDeviceGetMemoryInfo(self, handle: FakeGpu) -> Memory:  # noqa: N802
        return Memory(handle.memory_mib * MIB + 4096, 1234 * MIB)

    def nvmlDeviceGetNumGpuCores(self, handle: FakeGpu) -> int:  # noqa: N802
        return handle.cores

    def nvmlDeviceGetCudaComputeCapability(self, handle: FakeGpu) -> tuple[int, int]:  # noqa: N802
        return handle.capability

    def nvmlDeviceGetMigMode(self, handle: FakeGpu) -> list[int]:  # noqa: N802
        if not handle.mig_supported:
            raise FakeError(NOT_SUPPORTED)
        return [int(handle.mig is not None)] * 2

    def nvmlDeviceGetMaxMigDeviceCount(self, handle: FakeGpu) -> int:  # noqa: N802
        return len(handle.mig or ())

    def nvmlDeviceGetMigDeviceHandleByIndex(self, handle: FakeGpu, index: int) -> FakePart:  # noqa: N802
        part = (handle.mig or [])[index]
        if part is None:
            raise FakeError(NOT_FOUND)
        return part

    def nvmlDeviceGetAttributes_v2(self, handle: FakePart) -> Attributes:  # noqa: N802
        return handle.attributes

    def nvmlDeviceGetUtilizationRates(self, handle: FakeGpu) -> Rates:  # noqa: N802
        if handle.mig is not None:
            raise FakeError(NOT_SUPPORTED)  # as drivers do for a device in MIG mode
        return Rates(37, 12)

    def nvmlDeviceGetTemperature(self, handle: FakeGpu, sensor: int) -> int:  # noqa: N802
        assert sensor == 0
        return 41

    def _ready(self) -> None:
        if not self.sessions:
            raise FakeError(UNINITIALIZED)

    @staticmethod
    def _here(handle: FakeGpu | FakePart) -> FakeGpu | FakePart:
        if isinstance(handle, FakeGpu) and handle.lost:
            raise FakeError(GPU_IS_LOST)
        return handle


def h100_part(uuid: str, name: str, slices: int, memory_mib: int, sms: int) -> FakePart:
    """A MIG instance of an H100 as its driver names it."""
    return FakePart(uuid, f"NVIDIA H100 80GB HBM3 MIG {name}", Attributes(sms, slices, slices, memory_mib))
