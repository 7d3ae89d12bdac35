//! Bytes that are wiped: the old memory when they grow, and all of it when they are dropped.

use std::io;
use std::ops::{Deref, DerefMut};

use zeroize::{Zeroize, Zeroizing, optimization_barrier};

/// Bytes of a value. They are wiped as one block, where `Zeroizing` wipes byte by byte, and they
/// leave no old memory behind when they grow, as a `Vec` would.
#[derive(Default)]
pub struct WipedBytes(Vec<u8>);

impl WipedBytes {
    /// Room for this many bytes; more may be written.
    pub fn with_capacity(size: usize) -> Self {
        Self(Vec::with_capacity(size))
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) {
        self.reserve(bytes.len());
        self.0.extend_from_slice(bytes);
    }

    fn reserve(&mut self, more: usize) {
        let needed = self.0.len() + more;
        if needed > self.0.capacity() {
            let mut larger = Self::with_capacity(needed.max(self.0.capacity() * 2).max(64));
            larger.0.extend_from_slice(&self.0);
            *self = larger;
        }
    }

    /// Adds this many zeros, and gives them to be written over.
    pub(crate) fn add_zeros(&mut self, count: usize) -> &mut [u8] {
        self.reserve(count);
        let from = self.0.len();
        self.0.resize(from + count, 0);
        &mut self.0[from..]
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.write(text.as_bytes());
    }

    /// Spaces, two for each step.
    pub(crate) fn indent(&mut self, steps: usize) {
        for _ in 0..steps {
            self.text("  ");
        }
    }

    pub(crate) fn char(&mut self, character: char) {
        self.text(character.encode_utf8(&mut *Zeroizing::new([0; 4])));
    }

    pub(crate) fn byte(&mut self, byte: u8) {
        self.write(&[byte]);
    }

    /// Keeps only the first bytes.
    pub(crate) fn truncate(&mut self, length: usize) {
        self.0.truncate(length);
    }

    /// For decoders that write into a `Vec`: they must not need more than its capacity.
    pub(crate) fn reserved(&mut self) -> &mut Vec<u8> {
        &mut self.0
    }

    /// Fills all memory with zeros, behind the last byte too.
    fn fill(&mut self) {
        self.0.clear();
        self.0.resize(self.0.capacity(), 0);
        optimization_barrier(self.0.as_slice());
    }
}

impl From<Vec<u8>> for WipedBytes {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl Deref for WipedBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl DerefMut for WipedBytes {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
}

impl io::Write for WipedBytes {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AsRef<[u8]> for WipedBytes {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Zeroize for WipedBytes {
    fn zeroize(&mut self) {
        self.fill();
        self.0.clear();
    }
}

impl Drop for WipedBytes {
    fn drop(&mut self) {
        self.fill();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grows_and_keeps_every_byte() {
        let mut buffer = WipedBytes::default();
        for number in 0..1000_u32 {
            buffer.text(&number.to_string());
        }
        let expected: String = (0..1000_u32).map(|number| number.to_string()).collect();
        assert_eq!(*buffer, *expected.as_bytes());
    }

    #[test]
    fn memory_behind_the_last_byte_is_wiped_too() {
        let mut buffer = WipedBytes::with_capacity(64);
        buffer.text("a value that was longer before");
        buffer.truncate(3);
        buffer.fill();
        assert_eq!(*buffer, [0; 64]);
    }
}
