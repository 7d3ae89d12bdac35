//! A buffer for text that holds values: the old copy is wiped when the buffer grows, and the rest
//! when it is dropped.

use zeroize::Zeroizing;

use crate::base::material::SecretBytes;

/// Bytes being written. A plain `Vec` would leave its old allocations behind, unwiped, each time it
/// grows.
#[derive(Default)]
pub(crate) struct Wiped(Zeroizing<Vec<u8>>);

impl Wiped {
    /// Room for this many bytes; more can follow.
    pub(crate) fn with_capacity(size: usize) -> Self {
        Self(Zeroizing::new(Vec::with_capacity(size)))
    }

    pub(crate) fn push(&mut self, bytes: &[u8]) {
        let needed = self.0.len() + bytes.len();
        if needed > self.0.capacity() {
            let roomy = needed.max(self.0.capacity() * 2).max(64);
            let mut larger = Zeroizing::new(Vec::with_capacity(roomy));
            larger.extend_from_slice(&self.0);
            self.0 = larger;
        }
        self.0.extend_from_slice(bytes);
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.push(text.as_bytes());
    }

    pub(crate) fn char(&mut self, character: char) {
        self.text(character.encode_utf8(&mut [0; 4]));
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn into_secret(self) -> SecretBytes {
        SecretBytes::from(self.0)
    }

    /// What was written, as text.
    #[cfg(test)]
    pub(crate) fn into_string(mut self) -> Zeroizing<String> {
        let bytes = std::mem::take(&mut *self.0);
        Zeroizing::new(String::from_utf8(bytes).expect("only text was written"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grows_and_keeps_every_byte() {
        let mut buffer = Wiped::default();
        for number in 0..1000_u32 {
            buffer.text(&number.to_string());
        }
        let expected: String = (0..1000_u32).map(|number| number.to_string()).collect();
        assert_eq!(buffer.into_string().as_str(), expected);
    }
}
