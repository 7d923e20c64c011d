//! What names stand for, with what the target has confirmed apart from what is only on its way.
//!
//! A client may pipeline: name something, use it, and learn later that the naming failed. So a use
//! sees what was named last, and a failure brings back what was confirmed before.

use std::collections::HashMap;

/// The most names of one kind in one session.
const MAX_NAMES: usize = 20_000;

/// Names and what they stand for.
#[derive(Debug)]
pub(crate) struct Slots<T>(HashMap<Box<[u8]>, Slot<T>>);

#[derive(Debug)]
struct Slot<T> {
    confirmed: Option<T>,
    /// The entry that names it anew and is not answered yet.
    pending: Option<(u64, T)>,
    /// The name stands, or may stand, for something else if that entry fails.
    contested: bool,
}

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<T: Clone> Slots<T> {
    /// What the name stands for if everything on its way succeeds.
    pub(crate) fn get(&self, name: &[u8]) -> Option<&T> {
        let slot = self.0.get(name)?;
        slot.pending.as_ref().map(|(_, value)| value).or(slot.confirmed.as_ref())
    }

    /// The entry on whose answer it depends which of several things the name stands for.
    pub(crate) fn contested(&self, name: &[u8]) -> Option<u64> {
        let slot = self.0.get(name).filter(|slot| slot.contested)?;
        slot.pending.as_ref().map(|(number, _)| *number)
    }

    /// Names something under entry `number`; false where no more names fit.
    pub(crate) fn propose(&mut self, name: &[u8], number: u64, value: T) -> bool {
        if let Some(slot) = self.0.get_mut(name) {
            slot.contested = true;
            slot.pending = Some((number, value));
            return true;
        }
        if self.0.len() >= MAX_NAMES {
            return false;
        }
        self.0.insert(name.into(), Slot { confirmed: None, pending: Some((number, value)), contested: false });
        true
    }

    /// The target confirmed entry `number`, which named `value`.
    pub(crate) fn confirm(&mut self, name: &[u8], number: u64, value: T) {
        if let Some(slot) = self.0.get_mut(name) {
            slot.confirmed = Some(value);
            slot.pending.take_if(|(pending, _)| *pending == number);
        } else if self.0.len() < MAX_NAMES {
            self.0.insert(name.into(), Slot { confirmed: Some(value), pending: None, contested: false });
        }
    }

    /// The target did not do what entry `number` asked.
    pub(crate) fn abandon(&mut self, name: &[u8], number: u64) {
        if let Some(slot) = self.0.get_mut(name) {
            slot.pending.take_if(|(pending, _)| *pending == number);
            if slot.confirmed.is_none() && slot.pending.is_none() {
                self.0.remove(name);
            }
        }
    }

    /// The target forgot the name.
    pub(crate) fn remove(&mut self, name: &[u8]) {
        if let Some(slot) = self.0.get_mut(name) {
            slot.confirmed = None;
            if slot.pending.is_none() {
                self.0.remove(name);
            }
        }
    }

    /// The target forgot every name that it had confirmed.
    pub(crate) fn clear(&mut self) {
        self.0.retain(|_, slot| {
            slot.confirmed = None;
            slot.pending.is_some()
        });
    }
}

#[cfg(test)]
mod tests {
    use super::Slots;

    #[test]
    fn a_failed_naming_brings_back_what_was_confirmed() {
        let mut slots = Slots::default();
        assert!(slots.propose(b"s", 1, "first"));
        slots.confirm(b"s", 1, "first");
        assert!(slots.propose(b"s", 2, "second"));
        assert_eq!(slots.get(b"s"), Some(&"second"));
        slots.abandon(b"s", 2);
        assert_eq!(slots.get(b"s"), Some(&"first"));
    }

    #[test]
    fn a_name_is_contested_until_the_last_naming_is_answered() {
        let mut slots = Slots::default();
        slots.propose(b"s", 1, "first");
        assert_eq!(slots.contested(b"s"), None);
        slots.propose(b"s", 3, "second");
        slots.confirm(b"s", 1, "first");
        assert_eq!(slots.contested(b"s"), Some(3));
        slots.abandon(b"s", 3);
        assert_eq!((slots.contested(b"s"), slots.get(b"s")), (None, Some(&"first")));
    }

    #[test]
    fn a_confirmation_does_not_hide_a_later_proposal() {
        let mut slots = Slots::default();
        slots.propose(b"", 1, "first");
        slots.propose(b"", 2, "second");
        slots.confirm(b"", 1, "first");
        assert_eq!(slots.get(b""), Some(&"second"));
        slots.abandon(b"", 2);
        assert_eq!(slots.get(b""), Some(&"first"));
    }
}
