"""What a catalogue remembers about a descriptor; known without loading it where possible."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class DescriptorInfo:
    """A descriptor's identity and the numbers that go with its weights."""

    name: str
    digest: str
    """sha256 of the weights file, hexadecimal: vectors of different digests never mix."""
    dimension: int
    input_size: int
    """Side in pixels of the square that photos are squashed to."""
    copy_threshold: float
    """Cosine similarity from which on two photos are called copies."""
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)
    """Normalisation of R, G, B in 0..1; the defaults are ImageNet's, as in torchvision."""
    licence: str = "unknown"
    notes: str = ""
    categories: tuple[str, ...] = field(default=(), repr=False)
    """What the outputs of its classification head are called, in one word each; empty without one."""
    named: bool = False
    """Whether these are real names, not the mere numbers of the outputs."""
