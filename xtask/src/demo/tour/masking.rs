//! The same rows, as those see them who may see less, and as those who may see more.

use super::{expect, run};
use crate::demo::people::{AGENT, SUPPORT};
use crate::demo::scene::Scene;

pub(super) fn masked(scene: &Scene) -> anyhow::Result<()> {
    let sql = "SELECT name, email, card FROM customers WHERE id = 1;\n\
               SELECT upper(email) || card FROM customers WHERE id = 1;\n\
               SELECT name || ' writes to support@example.com' FROM customers WHERE id = 1;\n\
               SELECT count(email) FROM customers WHERE city = 'Springfield';";
    let shown = "Ada Example|[masked]|***************1111\n[masked]\nAda Example writes to [masked]\n1";
    expect(&run(scene, &AGENT, sql)?, shown, &[])
}

pub(super) fn revealed(scene: &Scene) -> anyhow::Result<()> {
    let sql = "SELECT name, email, card FROM customers WHERE id = 1;";
    expect(&run(scene, &SUPPORT, sql)?, "Ada Example|ada@example.com|***************1111", &[])
}
