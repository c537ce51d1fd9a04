from gateway.recovery.named_blobs import blobs_of_job
from headway.testing.builders import A_DIGEST, a_record, an_infer_spec


def test_what_a_job_reads_is_named() -> None:
    assert [(one.project, one.digest) for one in blobs_of_job(a_record())] == [("demo", A_DIGEST)]


def test_what_a_prediction_reads_may_be_gone_at_any_time() -> None:
    """A backup that names it would be said to lack it."""
    assert list(blobs_of_job(a_record(an_infer_spec()))) == []
