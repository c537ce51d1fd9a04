"""Turns events into messages for people; decides nothing about a job."""
