"""Every limit of headway, with its unit and the reason for its size."""

from datetime import timedelta

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB

# The wire.
UNARY_MESSAGE_MAX_BYTES = 4 * MIB
CHUNK_BYTES = 256 * KIB
"""Best size of a streamed chunk: 64 KiB and 1 MiB were both slower (notes on gRPC, 2.1)."""
UPLOAD_CHUNK_MAX_BYTES = MIB
UNARY_DEADLINE_MAX = timedelta(seconds=30)
STREAM_IDLE_MAX = timedelta(seconds=30)
WATCH_HEARTBEAT = timedelta(seconds=15)
PAGE_SIZE_DEFAULT = 50
PAGE_SIZE_MAX = 1000

# Records in JetStream.
RECORD_MAX_BYTES = 256 * KIB
TRANSITIONS_KEPT = 64
"""Of a job's history; older checkpoints and priorities go first."""
ATTEMPTS_KEPT = 32

# A job.
DISPLAY_NAME_MAX_CHARACTERS = 128
TAGS_MAX = 32
TAG_MAX_CHARACTERS = 63
USER_ID_MAX_CHARACTERS = 128
PRIORITY_MIN = -100
PRIORITY_MAX = 100
REQUEST_ID_MAX_CHARACTERS = 128
WISH_MESSAGE_MAX_CHARACTERS = 256
GPU_COUNT_MAX = 64
MEMORY_MIB_MAX = 16 * MIB
RETRY_MAX_DEFAULT = 3
RETRY_MAX_MAX = 20
LOSSES_MAX = 10
"""Hosts that a job may lose in a row, without a newer checkpoint, before it fails; apart from the budget for its own
failures."""
STEP_TIMEOUT_DEFAULT = timedelta(minutes=10)
"""An attempt that does not get on for so long is stalled, unless its policies say otherwise."""
DURATION_MIN = timedelta(seconds=1)
DURATION_MAX = timedelta(days=365)
COLUMN_NAME_MAX_CHARACTERS = 256
COLUMNS_NAMED_MAX = 10_000
BENCHMARKS_MAX = 32
MIN_SCORES_MAX = 64
DATA_REFS_MAX = 32

# Models and bundles.
MODEL_PARAMETERS_MAX = 100_000_000
"""Parameters of a tabular model; 400 MB of fp32, far beyond what a table needs."""
ARTIFACTS_MAX = 256
TENSORS_MAX = 100_000
SAFETENSORS_HEADER_MAX_BYTES = 16 * MIB
BLOB_MAX_BYTES = 8 * GIB
JSON_ARTIFACT_MAX_BYTES = 16 * MIB
METRICS_MAX = 128
ENSEMBLE_TEACHERS_MAX = 8
RECENT_RUN_TTL = timedelta(seconds=900)
"""How long after its result was stored a run can be named by its id, whether or not its model was saved."""
RECENT_RUNS_MAX = 128
WARNINGS_MAX = 32

# Data.
TABLE_COLUMNS_MAX = 10_000
FIELD_MAX_BYTES = MIB
PREVIEW_ROWS_DEFAULT = 10
PREVIEW_ROWS_MAX = 100
CELL_MAX_CHARACTERS = 256
COUNTED_TABLE_MAX_BYTES = 64 * MIB

# Predictions.
PREDICT_DEADLINE_MAX = timedelta(minutes=10)
PREDICTION_KEPT = timedelta(hours=1)
"""How long the internal job of a prediction and its bytes stay after its end."""
PREDICTIONS_IN_FLIGHT_MAX = 64
PREDICT_ROWS_MAX_BYTES = 3 * MIB
"""Of rows that travel in the request itself; more goes up as a dataset."""
PREDICT_JSON_ROWS_MAX = 10_000
ANSWERED_ROWS_MAX = 1000
"""Answers that travel in the response itself; more come down as a file."""

# Telemetry.
LOG_MESSAGE_MAX_CHARACTERS = 4096
LOG_LINES_PER_MESSAGE_MAX = 500
PROGRESS_INTERVAL = timedelta(milliseconds=100)

# The queue.
QUEUED_JOBS_PER_PROJECT_MAX = 10_000
WATCHES_PER_KEY_MAX = 1000
WATCH_QUEUE_MAX = 256

# Hosts.
HOST_SLOTS_MAX = 64
HOST_CPU_CORES_MAX = 4096
HOST_DEVICES_MAX = 64
HOST_RECIPES_MAX = 256
HOST_LABELS_MAX = 64
