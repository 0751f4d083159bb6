"""From image files to batches: sets of images, packs and records, the sampling plan, the pipelines, and degradations."""
