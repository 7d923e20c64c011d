//! Free tail files, kept to be used again. A file system that has just deleted thousands of files is
//! slow to make the next one (ext4 looks for an inode that was not freed within the last minutes), so
//! a gate with many sessions does not delete its tails: it empties them and gives them new names.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use super::directory::Directory;
use super::disk::Disk;
use super::shared::lock;

/// The most files that are kept.
const MOST: usize = 2048;

/// The free files of a spool, by the numbers in their names.
#[derive(Default)]
pub(super) struct Pool {
    free: Mutex<Vec<u64>>,
    next: AtomicU64,
}

impl Pool {
    /// Removes what a gate before this left. They are empty.
    pub(super) fn clear(directory: &Directory) -> io::Result<()> {
        for entry in fs::read_dir(&directory.0)? {
            let entry = entry?;
            if entry.file_name().to_str().is_some_and(|name| name.starts_with(Directory::FREE)) {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }

    /// An empty file with this name.
    pub(super) fn take(&self, directory: &Directory, disk: &dyn Disk, path: &Path) -> io::Result<File> {
        let free = lock(&self.free).pop();
        let renamed = free.map(|number| fs::rename(directory.free(number), path));
        match renamed {
            Some(Ok(())) => OpenOptions::new().read(true).write(true).open(path),
            // One that cannot be used is left behind, and the next start removes it.
            Some(Err(_)) | None => disk.create(path),
        }
    }

    /// Takes back a file that is not needed any more. A tail that stays where it is does no harm: its
    /// events are known by their numbers.
    pub(super) fn give(&self, directory: &Directory, path: &Path, file: File) {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let is_kept = lock(&self.free).len() < MOST
            && file.set_len(0).is_ok()
            && fs::rename(path, directory.free(number)).is_ok();
        drop(file);
        if is_kept {
            lock(&self.free).push(number);
        } else {
            let _ = fs::remove_file(path);
        }
    }
}
