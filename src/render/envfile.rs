//! temp
use crate::material::SecretBytes;
/// temp
pub fn value_of(_old: &[u8], _name: &str) -> Option<SecretBytes> {
    None
}
