//! Tells the program the triple that it was built for, as the folder of the fuzz targets is named.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if let Ok(target) = std::env::var("TARGET") {
        println!("cargo::rustc-env=HOST_TRIPLE={target}");
    }
}
