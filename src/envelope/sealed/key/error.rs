//! Why a file holds no sealing key, and what it is instead.

use crate::base::failure::{Class, Fault};
use crate::envelope::manifest::ManifestError;
use crate::format::SyntaxError;

/// Why there is no sealing key where one was expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealingKeyError {
    /// Neither PEM nor a manifest.
    #[error("{origin} is no sealing key: {cause}")]
    NotAKey {
        /// Where it came from.
        origin: String,
        /// Why it is no manifest either.
        cause: SyntaxError,
    },
    /// A manifest that cannot be read.
    #[error("{origin} is no backup of sealing keys: {cause}")]
    Manifest {
        /// Where it came from.
        origin: String,
        /// What is wrong with it.
        cause: ManifestError,
    },
    /// PEM or a Secret, but not the private key.
    #[error("{origin} {problem}")]
    Problem {
        /// Where it came from.
        origin: String,
        /// What it is instead.
        problem: KeyProblem,
    },
}

/// What something is instead of a sealing key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyProblem {
    /// The public half.
    #[error("holds a certificate, and no private key")]
    Certificate,
    /// Encrypted with a passphrase.
    #[error("holds a private key that is encrypted with a passphrase")]
    Encrypted,
    /// Another kind of key: EC, DSA, SSH.
    #[error("holds a private key that is not RSA, or not in PKCS#1 or PKCS#8")]
    NotRsa,
    /// Cut off or damaged.
    #[error("holds a damaged private key")]
    Damaged,
    /// Too small or too large: the bits of the modulus.
    #[error("holds an RSA key of {0} bits: 2048 to 8192 are used")]
    Bits(usize),
    /// A Secret without `tls.key`.
    #[error("has no `tls.key`")]
    NoTlsKey,
    /// No key at all.
    #[error("holds no sealing key")]
    Empty,
    /// All keys are retired.
    #[error("holds no active sealing key: {} is marked otherwise", .0.join(", "))]
    Retired(Vec<String>),
}

impl Fault for SealingKeyError {
    fn class(&self) -> Class {
        Class::Corrupt
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::NotAKey { .. } | Self::Manifest { .. } => {
                "give the PEM of a `tls.key`, or what `kubectl get secret -n kube-system -l \
                 sealedsecrets.bitnami.com/sealed-secrets-key -o yaml` prints"
            }
            Self::Problem { problem, .. } => match problem {
                KeyProblem::Certificate | KeyProblem::NoTlsKey | KeyProblem::Empty => {
                    "the private key is the `tls.key` of a Secret of the sealed-secrets controller"
                }
                KeyProblem::Encrypted => {
                    "remove the passphrase: `openssl rsa -in KEY -out KEY.pem`"
                }
                KeyProblem::NotRsa | KeyProblem::Bits(_) => "sealed-secrets seals with RSA only",
                KeyProblem::Damaged => "take it from the cluster or the backup again",
                KeyProblem::Retired(_) => {
                    "label it sealedsecrets.bitnami.com/sealed-secrets-key=active to use it again"
                }
            },
        };
        Some(hint.to_owned())
    }
}
