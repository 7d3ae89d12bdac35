//! A recipient as messages name it.

use std::borrow::Cow;

/// A recipient, shortened for a message: an RSA or hybrid recipient fills a screen.
pub(crate) fn shortened(recipient: &str) -> Cow<'_, str> {
    const LONGEST: usize = 100;
    const HEAD: usize = 48;
    const TAIL: usize = 12;
    let count = recipient.chars().count();
    if count <= LONGEST {
        return Cow::Borrowed(recipient);
    }
    let head: String = recipient.chars().take(HEAD).collect();
    let tail: String = recipient.chars().skip(count - TAIL).collect();
    Cow::Owned(format!("{head}…{tail}"))
}
