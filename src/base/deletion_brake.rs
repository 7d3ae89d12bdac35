//! The brake on deletions: one mistake (a list that came back short, a folder that lost its files)
//! must not delete everything.

/// How many objects may be deleted in one pass without asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// This many in any case.
    pub least: usize,
    /// Or this percentage.
    pub percent: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            least: 3,
            percent: 20,
        }
    }
}

impl Limits {
    /// How many of `of` objects may be deleted.
    pub fn most(&self, of: usize) -> usize {
        self.least.max(of * self.percent / 100)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn row_75_a_few_of_few_and_a_fifth_of_many() {
        for (of, most) in [(0, 3), (3, 3), (15, 3), (20, 4), (100, 20), (1004, 200)] {
            assert_eq!(Limits::default().most(of), most, "of {of}");
        }
    }
}
