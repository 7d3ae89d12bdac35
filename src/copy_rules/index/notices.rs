//! Messages for people: each refusal when it is new, and each rival once.

use super::super::deletion_brake::HeldCopies;
use super::super::place::{CopiedKind, ObjectPlace};
use super::super::reason::{Braked, CopyRefusal};
use super::{Index, IndexNotice, NoticeText};

impl Index {
    pub(super) fn hold(&mut self, held: &HeldCopies) {
        let braked = Braked {
            source: held.source.clone(),
            held: held.places.len(),
            most: held.most,
            mass: held.mass,
        };
        for place in &held.places {
            let refusal = CopyRefusal::Brake(Box::new(braked.clone()));
            self.refuse(held.source.0, place, refusal);
        }
    }

    /// Notes a refusal, and reports it if it is new.
    pub(super) fn refuse(&mut self, kind: CopiedKind, place: &ObjectPlace, refusal: CopyRefusal) {
        let before = self
            .objects_mut(kind)
            .refused
            .insert(place.clone(), refusal.clone());
        if before.as_ref() == Some(&refusal) {
            return;
        }
        let at = self.told_at(kind, place, &refusal);
        let what = NoticeText::Refused(place.clone(), refusal);
        self.told.push(IndexNotice { kind, at, what });
    }

    /// The object that gets the message: the object itself if it is refused, or the mirror that
    /// asks; else the source that would be copied; else the place itself.
    fn told_at(&self, kind: CopiedKind, place: &ObjectPlace, refusal: &CopyRefusal) -> ObjectPlace {
        let standing = self.objects(kind).standing(place);
        let is_its_own = standing.is_some_and(|standing| standing.mirror);
        if is_its_own || refusal.is_of_the_object() {
            return place.clone();
        }
        // The message does not go to a source that an object only claims to have.
        let ours = standing.filter(|standing| standing.is_ours());
        let from = ours.and_then(|standing| standing.from.clone());
        let asker = || self.claims(kind, place).asker().cloned();
        from.or_else(asker).unwrap_or_else(|| place.clone())
    }

    /// Tells each source, once, that a place which it gives to belongs to another source.
    pub(super) fn tell_rivals(&mut self, kind: CopiedKind, place: &ObjectPlace) {
        let objects = self.objects(kind);
        let from = objects.standing(place).and_then(|copy| copy.from.as_ref());
        let others = objects.of_name(&place.name);
        let others = others.filter(|(source, _)| Some(source) != from).count();
        // The owner of the place is one of these sources, or its copy stands there.
        let is_alone = others <= usize::from(from.is_none());
        if is_alone || !self.is_for_copies(kind, place) {
            return;
        }
        let claims = self.claims(kind, place);
        let standing = self.objects(kind).standing(place);
        let copied = standing.filter(|copy| copy.is_ours());
        let copied = copied.and_then(|copy| copy.from.clone());
        let (first, rivals) = (claims.first.map(|claim| claim.source), claims.rivals);
        let Some(holder) = first.or(copied) else {
            return;
        };
        for rival in rivals {
            let note = (place.clone(), rival.clone());
            if self.objects_mut(kind).rivals.insert(note) {
                let what = NoticeText::Refused(place.clone(), CopyRefusal::Taken(holder.clone()));
                let at = rival;
                self.told.push(IndexNotice { kind, at, what });
            }
        }
    }

    /// Whether a place may have a copy at all.
    fn is_for_copies(&self, kind: CopiedKind, place: &ObjectPlace) -> bool {
        let objects = self.objects(kind);
        let namespace = self.namespaces.get(&place.namespace);
        let is_open = namespace.is_some_and(|known| !known.ending && !known.declines);
        let is_owned = objects.standing(place).is_some_and(|known| known.mirror);
        is_open
            && self.rules.targets.covers(&place.namespace)
            && !kind.is_of_control_plane(&place.name)
            && !is_owned
            && !objects.sources.contains_key(place)
    }

    /// The messages since the last call.
    pub fn news(&mut self) -> Vec<IndexNotice> {
        std::mem::take(&mut self.told)
    }
}
