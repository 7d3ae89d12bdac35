//! All values of a file, opened where they stand, and the checksum over them.
//!
//! The place of a value consists of the keys on its path; list indexes are left out. The checksum
//! covers the opened values in the order of the file, without keys and without separators: this is
//! SOPS' design, not ours.

use std::collections::HashMap;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest;
use zeroize::Zeroizing;

use crate::base::wiped::WipedBytes;

use crate::base::coding::number;
use crate::base::material::{Node, SecretBytes};

use super::clear::{ClearLeaf, SopsPolicy};
use super::error::SopsError;
use super::limits::MAX_CLEAR;
use super::metadata::SopsMetadata;
use super::suspect::looks_secret;
use super::value::{self, Cipher, LeafKind, ValueFlaw};

/// Longest path in a message.
const MAX_SHOWN: usize = 200;

pub(super) struct Walk<'a> {
    metadata: &'a SopsMetadata<'a>,
    cipher: &'a Cipher,
    policy: SopsPolicy,
    spell: fn(f64) -> String,
    /// Whether the keys at the top may repeat, because they are sections of an INI file.
    sections: bool,
    /// Keys from the top, each with a colon behind it.
    place: String,
    checksum: digest::Context,
    /// The error of the first value that may be damaged, or may be a clear value that only looks
    /// encrypted.
    doubt: Option<SopsError>,
    /// During the walk, the steps of each leaf are in reverse order.
    clear: Vec<ClearLeaf>,
}

/// Whether a node stays, or was a comment that SOPS wrote as an item of a list.
#[derive(PartialEq, Eq)]
enum Outcome {
    Kept,
    Comment,
}

impl<'a> Walk<'a> {
    pub(super) fn new(
        metadata: &'a SopsMetadata<'a>,
        cipher: &'a Cipher,
        policy: SopsPolicy,
        spell: fn(f64) -> String,
        sections: bool,
    ) -> Self {
        let mut checksum = digest::Context::new(&digest::SHA512);
        if metadata.mac_only_encrypted {
            // Makes this checksum differ from a checksum over all values.
            checksum.update(digest::digest(&digest::SHA256, b"sops").as_ref());
        }
        Self {
            metadata,
            cipher,
            policy,
            spell,
            sections,
            place: String::new(),
            checksum,
            doubt: None,
            clear: Vec::new(),
        }
    }

    /// Opens every encrypted value.
    pub(super) fn documents(&mut self, documents: &mut [Node]) -> Result<(), SopsError> {
        let several = documents.len() != 1;
        for (index, document) in documents.iter_mut().enumerate() {
            let before = self.clear.len();
            self.node(document, false)?;
            if several {
                self.below(before, || index.to_string());
            }
        }
        Ok(())
    }

    /// The clear leaves that were met, in the order of the file.
    pub(super) fn take_clear(&mut self) -> Vec<ClearLeaf> {
        for leaf in &mut self.clear {
            leaf.steps.reverse();
        }
        std::mem::take(&mut self.clear)
    }

    /// Adds this step to every clear leaf from index `since` on.
    fn below(&mut self, since: usize, step: impl Fn() -> String) {
        for leaf in self.clear.iter_mut().skip(since) {
            leaf.steps.push(step());
        }
    }

    /// Compares the checksum with that of the file. Ours is never shown: it could serve to guess
    /// short values.
    pub(super) fn verify(self, expected: &SecretBytes) -> Result<(), SopsError> {
        const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
        let mut text = WipedBytes::with_capacity(128);
        for byte in self.checksum.finish().as_ref() {
            text.byte(DIGITS[usize::from(byte >> 4)]);
            text.byte(DIGITS[usize::from(byte & 15)]);
        }
        let equal = verify_slices_are_equal(&text, expected.expose());
        equal.map_err(|_| self.doubt.unwrap_or(SopsError::Mac))
    }

    /// The recursion is bounded: parsers limit the depth.
    fn node(&mut self, node: &mut Node, matched: bool) -> Result<Outcome, SopsError> {
        match node {
            // SOPS neither encrypts `null` nor covers it with the checksum.
            Node::Null => Ok(Outcome::Kept),
            Node::List(items) => self.list(items, matched).map(|()| Outcome::Kept),
            Node::Map(entries) => self.map(entries, matched).map(|()| Outcome::Kept),
            Node::Bool(_) | Node::Number(_) | Node::Time(_) => {
                match self.metadata.rule.encrypts(matched) {
                    Some(true) => Err(self.wrong(ValueFlaw::Form)),
                    Some(false) | None => self.clear(node).map(|()| Outcome::Kept),
                }
            }
            Node::Text(text) => {
                let text = text.expose();
                let encrypts = self.metadata.rule.encrypts(matched);
                // SOPS leaves an empty value empty when it encrypts.
                if encrypts == Some(true) && text.is_empty() {
                    return Ok(Outcome::Kept);
                }
                if encrypts == Some(false) || !value::is_sealed(text) && encrypts.is_none() {
                    return self.clear(node).map(|()| Outcome::Kept);
                }
                match self.cipher.open(text, &self.place) {
                    Err(flaw) if encrypts.is_none() => {
                        let doubt = self.wrong(flaw);
                        self.doubt.get_or_insert(doubt);
                        self.clear(node).map(|()| Outcome::Kept)
                    }
                    opened => self.encrypted(node, opened),
                }
            }
        }
    }

    fn map(&mut self, entries: &mut [(String, Node)], matched: bool) -> Result<(), SopsError> {
        let before = self.place.len();
        let mut repeated = self.repeated(entries);
        for (key, node) in entries {
            self.place.push_str(key);
            self.place.push(':');
            let matched = matched || self.metadata.rule.matches(key);
            let found = self.clear.len();
            if self.node(node, matched)? == Outcome::Comment {
                return Err(self.wrong(ValueFlaw::Type));
            }
            if let Some(index) = repeated.get_mut(key.as_str()) {
                self.below(found, || index.to_string());
                *index += 1;
            }
            self.below(found, || key.clone());
            self.place.truncate(before);
        }
        Ok(())
    }

    /// Names of sections that repeat, each with a counter from 0: they become lists, and the
    /// counter gives the index of each section.
    fn repeated(&self, entries: &[(String, Node)]) -> HashMap<String, usize> {
        let mut counts = HashMap::new();
        if self.sections && self.place.is_empty() {
            for (key, _) in entries {
                *counts.entry(key.clone()).or_insert(0) += 1;
            }
        }
        counts.retain(|_, count| *count > 1);
        counts.values_mut().for_each(|count| *count = 0);
        counts
    }

    fn list(&mut self, items: &mut Vec<Node>, matched: bool) -> Result<(), SopsError> {
        let mut failed = None;
        let mut kept: usize = 0;
        items.retain_mut(|item| {
            if failed.is_some() {
                return true;
            }
            let found = self.clear.len();
            match self.node(item, matched) {
                Ok(outcome) => {
                    let stays = outcome == Outcome::Kept;
                    self.below(found, || kept.to_string());
                    kept += usize::from(stays);
                    stays
                }
                Err(error) => {
                    failed = Some(error);
                    true
                }
            }
        });
        failed.map_or(Ok(()), Err)
    }

    fn encrypted(
        &mut self,
        node: &mut Node,
        opened: Result<(LeafKind, SecretBytes), ValueFlaw>,
    ) -> Result<Outcome, SopsError> {
        let (kind, bytes) = opened.map_err(|flaw| self.wrong(flaw))?;
        if kind == LeafKind::Comment {
            return Ok(Outcome::Comment);
        }
        let (opened, covered) =
            value::typed(kind, bytes, self.spell).ok_or_else(|| self.wrong(ValueFlaw::Type))?;
        *node = opened;
        match covered {
            Some(bytes) => self.checksum.update(bytes.expose()),
            None => self.cover(node),
        }
        Ok(Outcome::Kept)
    }

    fn clear(&mut self, node: &Node) -> Result<(), SopsError> {
        if !self.metadata.mac_only_encrypted {
            self.cover(node);
        }
        if self.clear.len() == MAX_CLEAR {
            let refused = self.metadata.mac_only_encrypted && !self.policy.allow_unauthenticated;
            return match refused {
                // All clear values must be known: one that is not could be delivered.
                true => Err(SopsError::TooManyClear),
                false => Ok(()),
            };
        }
        let key = self.place.trim_end_matches(':').rsplit(':').next();
        self.clear.push(ClearLeaf {
            steps: Vec::new(),
            looks_secret: looks_secret(key.unwrap_or_default(), node),
        });
        Ok(())
    }

    fn cover(&mut self, node: &Node) {
        match node {
            Node::Bool(true) => self.checksum.update(b"True"),
            Node::Bool(false) => self.checksum.update(b"False"),
            Node::Time(text) | Node::Text(text) => self.checksum.update(text.expose()),
            Node::Number(text) => match text.expose_str().and_then(number::float) {
                Some(float) => {
                    let decimal = Zeroizing::new(number::decimal(float));
                    self.checksum.update(decimal.as_bytes());
                }
                None => self.checksum.update(text.expose()),
            },
            Node::Null | Node::List(_) | Node::Map(_) => {}
        }
    }

    fn wrong(&self, flaw: ValueFlaw) -> SopsError {
        let path = self.shown();
        match flaw {
            ValueFlaw::Form => SopsError::Form { path },
            ValueFlaw::Authentication => SopsError::Value { path },
            ValueFlaw::Type => SopsError::Type { path },
        }
    }

    fn shown(&self) -> String {
        let path = self.place.strip_suffix(':').unwrap_or(&self.place);
        let dotted = path
            .chars()
            .take(MAX_SHOWN)
            .map(|c| if c == ':' { '.' } else { c });
        dotted.flat_map(char::escape_debug).collect()
    }
}
