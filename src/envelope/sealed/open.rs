//! The cryptography of one value, and of many at once.
//!
//! RSA comes from aws-lc: constant time, with blinding. Every failure after the padding has the
//! same words. Nothing here answers to the network, so nobody can ask ten thousand times.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::rsa::OAEP_SHA256_MGF1SHA256;

use crate::base::wiped::WipedBytes;

use super::key::{Keyring, SealingKey};
use crate::base::material::SecretBytes;

/// AES-256.
const SESSION_KEY: usize = 32;

/// Bytes that GCM appends.
const TAG: usize = 16;

/// All zeros, as upstream has it: each session key is used once.
const NONCE: [u8; 12] = [0; 12];

/// Fewer values are opened one after the other: a thread would cost more than it saves.
const PARALLEL_FROM: usize = 4;

/// Why a value did not open, and the index of the first such value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OpenFailure {
    /// The lengths in the value contradict each other.
    TooShort(usize),
    /// No key opens it.
    NotOpened(usize),
}

/// Opens all values, each with the key that fits, and returns the index of that key with each
/// value. The error names the first value that does not open.
pub(super) fn open_all(
    blobs: &[&[u8]],
    label: &[u8],
    keys: &Keyring,
) -> Result<Vec<(SecretBytes, usize)>, OpenFailure> {
    let mut parts = Vec::with_capacity(blobs.len());
    for (at, blob) in blobs.iter().enumerate() {
        parts.push(Parts::split(blob).ok_or(OpenFailure::TooShort(at))?);
    }
    let Some((first, others)) = parts.split_first() else {
        return Ok(Vec::new());
    };
    // The first value alone finds the key that most likely opens all, so that no thread tries a
    // hundred keys in vain.
    let mut opened = vec![open(first, label, keys).ok_or(OpenFailure::NotOpened(0))?];
    opened.extend(open_others(others, label, keys).map_err(|at| OpenFailure::NotOpened(at + 1))?);
    Ok(opened)
}

fn open_others(
    parts: &[Parts<'_>],
    label: &[u8],
    keys: &Keyring,
) -> Result<Vec<(SecretBytes, usize)>, usize> {
    let workers = if parts.len() < PARALLEL_FROM {
        1
    } else {
        thread::available_parallelism()
            .map_or(1, usize::from)
            .min(parts.len())
    };
    let next = AtomicUsize::new(0);
    let failed = AtomicUsize::new(usize::MAX);
    let work = || {
        let mut mine = Vec::new();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            // Values before the first failure are still opened, so that the error always names the
            // same value.
            let Some(part) = parts
                .get(at)
                .filter(|_| at < failed.load(Ordering::Relaxed))
            else {
                return mine;
            };
            match open(part, label, keys) {
                Some((value, key)) => mine.push((at, value, key)),
                None => {
                    failed.fetch_min(at, Ordering::Relaxed);
                }
            }
        }
    };
    let mut opened = thread::scope(|scope| {
        let others: Vec<_> = (1..workers).map(|_| scope.spawn(work)).collect();
        let mut opened = work();
        for other in others {
            opened.extend(
                other
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
            );
        }
        opened
    });
    match failed.into_inner() {
        usize::MAX => {
            opened.sort_unstable_by_key(|(at, ..)| *at);
            Ok(opened
                .into_iter()
                .map(|(_, value, key)| (value, key))
                .collect())
        }
        at => Err(at),
    }
}

/// Tries all keys, beginning with the key that opened a value last.
fn open(parts: &Parts<'_>, label: &[u8], keys: &Keyring) -> Option<(SecretBytes, usize)> {
    let (at, value) = keys
        .in_order()
        .find_map(|(at, key)| open_with(key, parts, label).map(|value| (at, value)))?;
    keys.remember(at);
    Some((value, at))
}

fn open_with(key: &SealingKey, parts: &Parts<'_>, label: &[u8]) -> Option<SecretBytes> {
    let key = key.oaep();
    if parts.session_key.len() != key.key_size_bytes() {
        return None;
    }
    let mut room = WipedBytes::from(vec![0; key.min_output_size()]);
    let session_key = key
        .decrypt(
            &OAEP_SHA256_MGF1SHA256,
            parts.session_key,
            &mut room,
            Some(label),
        )
        .ok()
        .filter(|session_key| session_key.len() == SESSION_KEY)?;
    let session_key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, session_key).ok()?);
    let mut value = WipedBytes::from(parts.value.to_vec());
    let nonce = Nonce::assume_unique_for_key(NONCE);
    let length = session_key
        .open_in_place(nonce, Aad::empty(), &mut value)
        .ok()?
        .len();
    value.truncate(length);
    Some(SecretBytes::from(value))
}

/// The two ciphertexts of one value.
struct Parts<'a> {
    session_key: &'a [u8],
    value: &'a [u8],
}

impl<'a> Parts<'a> {
    /// An attacker may have written the length in front.
    fn split(blob: &'a [u8]) -> Option<Self> {
        let (length, rest) = blob.split_first_chunk::<2>()?;
        let length = usize::from(u16::from_be_bytes(*length));
        let (session_key, value) = rest.split_at_checked(length)?;
        (length > 0 && value.len() >= TAG).then_some(Self { session_key, value })
    }
}
