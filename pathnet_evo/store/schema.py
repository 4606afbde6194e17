"""The tables of a lineage, and which of them must repeat."""

from __future__ import annotations

VERSION = 4
"""Version of the schema, kept in SQLite's ``user_version``."""

SCHEMA = """
CREATE TABLE trials (
  trial INTEGER PRIMARY KEY, arm TEXT NOT NULL, seed INTEGER NOT NULL,
  state TEXT NOT NULL, error TEXT
);
CREATE TABLE stages (
  trial INTEGER NOT NULL REFERENCES trials, stage INTEGER NOT NULL, task TEXT NOT NULL,
  budget INTEGER NOT NULL, by_frames INTEGER NOT NULL, chance REAL,
  counts TEXT NOT NULL, fitness_name TEXT NOT NULL, unit TEXT NOT NULL,
  population TEXT NOT NULL, frozen_before TEXT NOT NULL,
  evaluations INTEGER, examples INTEGER, genotype TEXT, path TEXT, fitness REAL,
  reused TEXT, frozen TEXT, scores TEXT, checkpoint TEXT, manifest TEXT,
  PRIMARY KEY (trial, stage)
) WITHOUT ROWID;
CREATE TABLE evaluations (
  trial INTEGER NOT NULL, stage INTEGER NOT NULL, evaluation INTEGER NOT NULL,
  generation INTEGER NOT NULL, candidate INTEGER NOT NULL, place INTEGER NOT NULL,
  genotype TEXT NOT NULL, parent INTEGER, batches INTEGER NOT NULL,
  fitness REAL, state TEXT NOT NULL, cause TEXT, examples INTEGER NOT NULL, metrics TEXT NOT NULL,
  PRIMARY KEY (trial, stage, evaluation),
  FOREIGN KEY (trial, stage) REFERENCES stages
) WITHOUT ROWID;
CREATE TABLE episodes (
  trial INTEGER NOT NULL, stage INTEGER NOT NULL, episode INTEGER NOT NULL,
  candidate INTEGER NOT NULL, place INTEGER NOT NULL,
  score REAL NOT NULL, frames INTEGER NOT NULL, at INTEGER NOT NULL,
  PRIMARY KEY (trial, stage, episode),
  FOREIGN KEY (trial, stage) REFERENCES stages
) WITHOUT ROWID;
CREATE TABLE events (
  trial INTEGER NOT NULL, stage INTEGER NOT NULL, evaluation INTEGER NOT NULL,
  number INTEGER NOT NULL, kind TEXT NOT NULL, data TEXT NOT NULL,
  PRIMARY KEY (trial, stage, evaluation, number),
  FOREIGN KEY (trial, stage) REFERENCES stages
) WITHOUT ROWID;
CREATE TABLE generations (
  trial INTEGER NOT NULL, stage INTEGER NOT NULL, generation INTEGER NOT NULL,
  evaluations INTEGER NOT NULL, best REAL, mean REAL, diversity TEXT,
  PRIMARY KEY (trial, stage, generation),
  FOREIGN KEY (trial, stage) REFERENCES stages
) WITHOUT ROWID;
CREATE TABLE times (
  trial INTEGER NOT NULL, stage INTEGER NOT NULL, evaluation INTEGER NOT NULL,
  seconds REAL NOT NULL,
  PRIMARY KEY (trial, stage, evaluation)
) WITHOUT ROWID;
CREATE TABLE stage_times (
  trial INTEGER NOT NULL, stage INTEGER NOT NULL, seconds REAL NOT NULL,
  usage TEXT,
  PRIMARY KEY (trial, stage)
) WITHOUT ROWID;
CREATE TABLE checkpoints (
  number INTEGER PRIMARY KEY, trial INTEGER NOT NULL REFERENCES trials, stage INTEGER NOT NULL,
  folder TEXT NOT NULL UNIQUE, manifest TEXT NOT NULL
);
CREATE TABLE data (
  trial INTEGER NOT NULL REFERENCES trials, stage INTEGER NOT NULL, number INTEGER NOT NULL,
  evaluation INTEGER NOT NULL, fingerprint TEXT NOT NULL,
  PRIMARY KEY (trial, stage, number)
) WITHOUT ROWID;
CREATE TABLE configurations (sha256 TEXT PRIMARY KEY, toml TEXT NOT NULL);
"""

OF_STAGES = (
    "stages",
    "evaluations",
    "episodes",
    "events",
    "generations",
    "times",
    "stage_times",
    "data",
)
"""Tables with the rows of a trial's stages, those that others refer to first."""

REPEATABLE = {
    "trials": "trial",
    "stages": "trial, stage",
    "evaluations": "trial, stage, evaluation",
    "episodes": "trial, stage, episode",
    "events": "trial, stage, evaluation, number",
    "generations": "trial, stage, generation",
}
"""Tables that must be equal in equal runs, and their order; times are kept apart."""
