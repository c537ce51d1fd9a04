"""The bare loop that training is compared with: same model, same data, same batches, in one process, nothing around it.

`python -m tests.bench.bare_loop TABLE.csv EPOCHS` prints how long a warm repetition took as JSON: in all (read, split,
train, test, write) and for the epochs alone. It uses one thread, as a trainer host's child does: a small model is
fastest so.
"""

import json
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
import torch
from safetensors.torch import save_file
from sklearn.model_selection import train_test_split
from torch import nn

HIDDEN, BATCH, LEARNING_RATE, DROPOUT, WEIGHT_DECAY = 128, 64, 0.001, 0.1, 1e-4


def model_of(num_features: int, num_classes: int) -> nn.Sequential:
    """Two hidden layers of Linear, BatchNorm, ReLU and Dropout, then Linear."""
    layers: list[nn.Module] = []
    width = num_features
    for _ in range(2):
        layers += [nn.Linear(width, HIDDEN), nn.BatchNorm1d(HIDDEN), nn.ReLU(), nn.Dropout(DROPOUT)]
        width = HIDDEN
    return nn.Sequential(*layers, nn.Linear(width, num_classes))


def train(model: nn.Module, features: torch.Tensor, labels: torch.Tensor, epochs: int) -> None:
    """Whole tensors, a fresh order each epoch, cross-entropy, AdamW; `features` is (rows, columns) fp32."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY, fused=True)
    loss_of = nn.CrossEntropyLoss()
    model.train()
    for _ in range(epochs):
        order = torch.randperm(len(features))
        for rows in torch.split(order, BATCH):
            if len(rows) == 1:
                continue
            optimizer.zero_grad()
            loss_of(model(features[rows]), labels[rows]).backward()
            optimizer.step()


def whole(table: Path, epochs: int, folder: Path) -> tuple[float, float]:
    """Read, split, standardise, train, test, write; returns seconds in all and for the epochs alone."""
    start = time.perf_counter()
    frame = pl.read_csv(table)
    labels = torch.tensor(frame["target"].to_numpy().astype("int64"))
    features = torch.tensor(frame.drop("target").to_numpy().astype("float32"))
    rows, test_rows = train_test_split(list(range(len(frame))), test_size=0.2, random_state=42, stratify=labels.numpy())
    mean, deviation = features[rows].mean(0), features[rows].std(0).clamp_min(1e-8)
    features = (features - mean) / deviation
    torch.manual_seed(42)
    model = model_of(features.shape[1], int(labels.max()) + 1)
    begin = time.perf_counter()
    train(model, features[rows], labels[rows], epochs)
    epochs_seconds = time.perf_counter() - begin
    model.eval()
    with torch.no_grad():
        model(features[test_rows]).argmax(1)
    save_file(model.state_dict(), folder / "model.safetensors")
    return time.perf_counter() - start, epochs_seconds


def main(table: Path, epochs: int) -> None:
    """Repeat and print the medians."""
    torch.set_num_threads(1)
    with TemporaryDirectory() as folder:
        runs = sorted(whole(table, epochs, Path(folder)) for _ in range(6))
    sys.stdout.write(json.dumps({"whole_seconds": runs[2][0], "epochs_seconds": sorted(r[1] for r in runs)[2]}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
