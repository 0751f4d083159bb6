"""Scoring networks on whole images: protocols, few compiled shapes, rows, reports."""
