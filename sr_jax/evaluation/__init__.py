"""Evaluation: protocols, networks on whole images, scores, reports and sample sheets."""
