//! `install`: copies this program into a shared volume, so that a container of any image can start
//! it.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use super::Ended;
use crate::base::failure::{Class, Failure};
use crate::pass::outcome::Failed;

/// Name of the program there.
const NAME: &str = "keyferry";

/// Copies the program into a folder. A process that starts it meanwhile starts the old or the new
/// program, never a part.
pub fn run(folder: &Path) -> Ended {
    let target = folder.join(NAME);
    match copy_binary(folder, &target) {
        Ok(bytes) => Ended::Well(format!("installed {} ({bytes} bytes)", target.display())),
        Err(error) => {
            let what = format!("cannot install {}: {error}", target.display());
            let hint = "name a folder that this user may write and programs may be started from, \
                such as a volume that the containers share";
            let failure = Failure::new(Class::Sink, what).hint(hint);
            Ended::Failed(Failed::of_the_run(failure))
        }
    }
}

fn copy_binary(folder: &Path, target: &Path) -> io::Result<u64> {
    let mut own = File::open("/proc/self/exe")?;
    let partial = folder.join(format!(".{NAME}.{}", std::process::id()));
    // In a container all our processes have the same id: a killed one may have left this file.
    match fs::remove_file(&partial) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let put = (|| {
        let mut options = OpenOptions::new();
        let mut file = options
            .write(true)
            .create_new(true)
            .mode(0o700)
            .open(&partial)?;
        let bytes = io::copy(&mut own, &mut file)?;
        file.set_permissions(fs::Permissions::from_mode(0o755))?;
        file.sync_all()?;
        drop(file);
        fs::rename(&partial, target)?;
        Ok(bytes)
    })();
    if put.is_err() {
        drop(fs::remove_file(&partial));
    }
    put
}
