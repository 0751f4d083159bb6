"""From image files to batches: sources (TFDS), the sampling plan, the two pipelines, degradations. Knows nothing of models."""
