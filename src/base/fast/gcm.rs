//! AES-256 in Galois/Counter mode with nonces of 32 bytes, as SOPS uses it; 12 bytes are usual.

use aes_gcm::aead::generic_array::GenericArray;
use aes_gcm::aead::{AeadInPlace, KeyInit};
use aes_gcm::aes::Aes256;
use aes_gcm::aes::cipher::consts::U32;
use aes_gcm::{AesGcm, Nonce, Tag};

/// A key, prepared once for many values.
pub struct Aes256Gcm(AesGcm<Aes256, U32>);

/// The tag is not that of these bytes, this nonce and this additional data.
#[derive(Debug, PartialEq, Eq)]
pub struct Unauthentic;

impl Aes256Gcm {
    /// Prepares a key.
    pub fn new(key: &[u8; 32]) -> Self {
        Self(AesGcm::new(GenericArray::from_slice(key)))
    }

    /// Decrypts in place, if the tag is right.
    #[inline(never)]
    pub fn decrypt(
        &self,
        nonce: &[u8; 32],
        additional: &[u8],
        data: &mut [u8],
        tag: &[u8; 16],
    ) -> Result<(), Unauthentic> {
        let nonce = Nonce::<U32>::from_slice(nonce);
        let tag = Tag::from_slice(tag);
        let decrypted = self
            .0
            .decrypt_in_place_detached(nonce, additional, data, tag);
        decrypted.map_err(|_| Unauthentic)
    }
}
