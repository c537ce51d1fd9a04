"""What a student saves beside its teacher: like compared with like."""

from typing import Self

from pydantic import BaseModel, ConfigDict

from headway.contract.architectures import Architecture, num_parameters


class Compression(BaseModel):
    """The figures that the result names, of the named teacher and its student.

    Sizes are those of the files `model.safetensors`; parameters are trainable numbers.
    """

    model_config = ConfigDict(frozen=True)

    teacher_input_dim: int
    teacher_output_dim: int
    student_input_dim: int
    student_output_dim: int
    teacher_model_size_bytes: int | None
    student_model_size_bytes: int | None
    size_saved_bytes: int | None
    """Below 0 when the student is the larger one; None when one of the sizes is not known."""
    size_saved_percent: float | None
    """Of the teacher's size; None when there is nothing to take a share of."""
    teacher_param_count: int
    student_param_count: int
    param_saved_count: int
    param_saved_percent: float | None

    @classmethod
    def of(
        cls,
        teacher: Architecture,
        student: Architecture,
        *,
        teacher_size_bytes: int | None,
        student_size_bytes: int | None,
    ) -> Self:
        """Compare two models; a size that is not known is None."""
        counts = num_parameters(teacher), num_parameters(student)
        sizes_known = teacher_size_bytes is not None and student_size_bytes is not None
        return cls(
            teacher_input_dim=teacher.input_dim,
            teacher_output_dim=teacher.output_dim,
            student_input_dim=student.input_dim,
            student_output_dim=student.output_dim,
            teacher_model_size_bytes=teacher_size_bytes,
            student_model_size_bytes=student_size_bytes,
            size_saved_bytes=(teacher_size_bytes or 0) - (student_size_bytes or 0) if sizes_known else None,
            size_saved_percent=saved_percent(teacher_size_bytes, student_size_bytes),
            teacher_param_count=counts[0],
            student_param_count=counts[1],
            param_saved_count=counts[0] - counts[1],
            param_saved_percent=saved_percent(*counts),
        )

    def scalars(self) -> dict[str, float]:
        """The figures by name; those that are undefined are left out."""
        return {name: float(value) for name, value in self.model_dump(exclude_none=True).items()}


def saved_percent(teacher: int | None, student: int | None) -> float | None:
    """The share of the teacher that its student does without, 100 at most; None where it is undefined."""
    if teacher is None or student is None or teacher == 0:
        return None
    return 100 * (teacher - student) / teacher
