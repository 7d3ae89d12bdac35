//! What patterns may cost: memory for as long as a source stands, and work at each event.
//!
//! Whoever may write annotations writes patterns, so their cost has a limit: one for an object, and
//! one for all objects of a namespace together. A list that does not fit is not read at all.

use std::fmt;

/// The memory of what was read, in bytes, and the states of its automata: each byte of a name may
/// visit all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cost {
    /// Bytes.
    pub bytes: usize,
    /// States.
    pub states: usize,
}

impl Cost {
    /// One object: a thousand names, or several dozen expressions.
    pub const OBJECT: Self = Self {
        bytes: 128 << 10,
        states: 1 << 10,
    };

    /// All objects of one namespace.
    pub const NAMESPACE: Self = Self {
        bytes: 4 << 20,
        states: 16 << 10,
    };

    /// Both together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            bytes: self.bytes.saturating_add(other.bytes),
            states: self.states.saturating_add(other.states),
        }
    }

    /// What is left when so much is spent.
    #[must_use]
    pub fn less(self, other: Self) -> Self {
        Self {
            bytes: self.bytes.saturating_sub(other.bytes),
            states: self.states.saturating_sub(other.states),
        }
    }

    fn fits(self, limit: Self) -> bool {
        self.bytes <= limit.bytes && self.states <= limit.states
    }
}

/// What one object may still spend.
#[derive(Debug, Clone)]
pub struct Budget {
    limit: Cost,
    spent: Cost,
    whose: Limit,
}

/// Whose limit is met first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// The object's own.
    Object,
    /// That of all objects of its namespace.
    Namespace,
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whose, cost) = match self {
            Self::Object => ("an object", Cost::OBJECT),
            Self::Namespace => ("all sources of one namespace", Cost::NAMESPACE),
        };
        let (kib, states) = (cost.bytes >> 10, cost.states);
        write!(
            f,
            "too large: the lists of {whose} may take {kib} KiB and {states} states of expressions"
        )
    }
}

impl Budget {
    /// For an object in a namespace whose other objects have spent so much.
    pub fn beside(others: Cost) -> Self {
        let left = Cost::NAMESPACE.less(others);
        let whose = if Cost::OBJECT.fits(left) {
            Limit::Object
        } else {
            Limit::Namespace
        };
        Self {
            limit: Cost {
                bytes: left.bytes.min(Cost::OBJECT.bytes),
                states: left.states.min(Cost::OBJECT.states),
            },
            spent: Cost::default(),
            whose,
        }
    }

    /// What was spent.
    pub fn spent(&self) -> Cost {
        self.spent
    }

    /// What is left.
    pub fn left(&self) -> Cost {
        self.limit.less(self.spent)
    }

    /// Spends so much, or says whose limit forbids it.
    pub fn spend(&mut self, cost: Cost) -> Result<(), Limit> {
        let spent = self.spent.plus(cost);
        if !spent.fits(self.limit) {
            return Err(self.whose);
        }
        self.spent = spent;
        Ok(())
    }

    /// Whose limit is met first.
    pub fn limit(&self) -> Limit {
        self.whose
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_has_its_own_limit_and_what_its_namespace_leaves() {
        let states = |states| Cost { bytes: 0, states };
        for (others, spent, expected) in [
            (states(0), states(1 << 10), Ok(())),
            (states(0), states((1 << 10) + 1), Err(Limit::Object)),
            (states(16 << 10), states(1), Err(Limit::Namespace)),
            (states((16 << 10) - 1), states(1), Ok(())),
            (states(1 << 20), states(0), Ok(())),
        ] {
            let mut budget = Budget::beside(others);
            assert_eq!(budget.spend(spent), expected, "{others:?} {spent:?}");
        }
    }
}
