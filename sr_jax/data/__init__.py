"""From image files to batches: sets of images, packs, the sampling plan, the two pipelines, and degradations."""
