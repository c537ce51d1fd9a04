"""Full resource names from what people type: a full name stays, a bare id gets its project."""

from headway.contract.ids import DatasetName, JobName, ModelName, ModelVersionName, ProjectName


def project_name(project: str) -> str:
    """`projects/{project}`; raises InvalidName."""
    return ProjectName.parse(f"projects/{project}", field="project").name


def job_name(project: str, text: str) -> str:
    """A job by full name or bare id; raises InvalidName."""
    return JobName.parse(text if "/" in text else f"projects/{project}/jobs/{text}", field="job").name


def dataset_name(project: str, text: str) -> str:
    """A dataset by full name or bare id; raises InvalidName."""
    return DatasetName.resolve(text, project=project, field="dataset").name


def model_name(project: str, text: str) -> str:
    """A model by full name or bare id; raises InvalidName."""
    return ModelName.resolve(text, project=project, field="model").name


def model_version_name(project: str, text: str) -> str:
    """A version by full name, `model@version`, or `model` alone, which means the latest; raises InvalidName."""
    if "/versions/" in text:
        return ModelVersionName.parse(text, field="model").name
    model, _, version = text.partition("@")
    return ModelVersionName.parse(f"{model_name(project, model)}/versions/{version or 'latest'}", field="model").name
