"""The rules as a document: checked, compared with those in force, and put in force while everything runs."""
