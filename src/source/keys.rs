//! Where the keys of encrypted files come from: files, a Kubernetes Secret, a Vault path.
