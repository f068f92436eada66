//! What a `component-type` section says: the functions of the world that a guest was built for, in WIT notation.
//!
//! wit-component writes such a section as a component that exports one component type, which exports one component type in
//! turn: the world, whose imports and exports are instances (WIT's interfaces) of functions. Everything that isn't that is
//! refused. wasmparser validates it first, which bounds the nesting of types; the text is bounded here.
use std::ffi::{c_char, c_void};

use wasmparser::component_types::{
    ComponentAnyTypeId, ComponentDefinedType, ComponentEntityType, ComponentFuncType, ComponentItem, ComponentType,
    ComponentTypeId, ComponentValType,
};
use wasmparser::types::{Types, TypesRef};
use wasmparser::{Encoding, Parser, Payload, ValidPayload, Validator, WasmFeatures};
use wasmtime_c_api::wasmtime::{bail, format_err, Result};
use wasmtime_c_api::wasmtime_error_t;

/// Of all types of one section together. Theater's own world takes 1 KiB, all of WASI 0.2 about 300.
const TEXT_MAX: usize = 4 << 20;

type Visitor = unsafe extern "C" fn(
    env: *mut c_void,
    exported: bool,
    interface: *const c_char,
    interface_size: usize,
    name: *const c_char,
    name_size: usize,
    wit: *const c_char,
    wit_size: usize,
);

/// # Safety
/// `section` has `size` bytes; `visit` may be called with `env`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn theater_world_functions(
    section: *const u8,
    size: usize,
    visit: Visitor,
    env: *mut c_void,
) -> Option<Box<wasmtime_error_t>> {
    let section = std::slice::from_raw_parts(section, size);
    let visit = |exported: bool, interface: &str, name: &str, wit: &str| unsafe {
        visit(
            env,
            exported,
            interface.as_ptr().cast(),
            interface.len(),
            name.as_ptr().cast(),
            name.len(),
            wit.as_ptr().cast(),
            wit.len(),
        )
    };
    walk(section, visit).err().map(|error| Box::new(error.into()))
}

fn walk(section: &[u8], mut visit: impl FnMut(bool, &str, &str, &str)) -> Result<()> {
    let (types, world) = decode(section)?;
    let mut text_left = TEXT_MAX;
    let mut interfaces = |exported: bool, items: &mut dyn Iterator<Item = (&String, &ComponentItem)>| -> Result<()> {
        for (interface, item) in items {
            // What a world has outside of interfaces (functions, types) is nothing that Theater knows.
            let ComponentEntityType::Instance(instance) = item.ty else { continue };
            for (name, item) in &types[instance].exports {
                let ComponentEntityType::Func(function) = item.ty else { continue };
                let mut writer = Writer { types: types.as_ref(), text: String::new(), left: text_left };
                writer.function(&types[function])?;
                text_left = writer.left;
                visit(exported, interface, name, &writer.text);
            }
        }
        Ok(())
    };
    interfaces(false, &mut types[world].imports.iter())?;
    interfaces(true, &mut types[world].exports.iter())
}

fn decode(section: &[u8]) -> Result<(Types, ComponentTypeId)> {
    let mut validator = Validator::new_with_features(WasmFeatures::all());
    let mut exports = Vec::new();
    let mut encoding = None;
    let mut types = None;
    for payload in Parser::new(0).parse_all(section) {
        let payload = payload?;
        match &payload {
            Payload::Version { encoding: Encoding::Component, .. } => {}
            Payload::ComponentTypeSection(_) | Payload::End(_) => {}
            Payload::ComponentExportSection(all) => {
                for export in all.clone() {
                    exports.push(export?.name.name);
                }
            }
            Payload::CustomSection(custom) => {
                if custom.name() == "wit-component-encoding" {
                    encoding = Some(custom.data());
                }
            }
            _ => bail!("it holds more than the type of a world"),
        }
        if let ValidPayload::End(all) = validator.payload(&payload)? {
            types = Some(all);
        }
    }
    match encoding {
        Some([4, 0]) => {}
        Some([4, _]) => bail!("its strings aren't UTF-8 (build it with --string-encoding utf8)"),
        _ => bail!("it isn't of wit-component's format 4"),
    }
    let types = types.ok_or_else(|| format_err!("it ends too early"))?;
    let [export] = exports[..] else { bail!("it has {} exports instead of one world", exports.len()) };
    let outer = match types.component_item_for_export(export).map(|item| item.ty) {
        Some(ComponentEntityType::Type { created: ComponentAnyTypeId::Component(id), .. }) => id,
        _ => bail!("its export isn't a component type"),
    };
    let ComponentType { imports, exports, .. } = &types[outer];
    let exported: Vec<_> = exports.values().map(|item| item.ty).collect();
    match exported[..] {
        [ComponentEntityType::Component(world)] if imports.is_empty() => Ok((types, world)),
        _ => bail!("its export isn't the type of a world"),
    }
}

struct Writer<'a> {
    types: TypesRef<'a>,
    text: String,
    left: usize,
}

impl Writer<'_> {
    fn put(&mut self, text: &str) -> Result<()> {
        let left = self.left.checked_sub(text.len());
        self.left = left.ok_or_else(|| format_err!("its types take more than {} MiB as text", TEXT_MAX >> 20))?;
        self.text.push_str(text);
        Ok(())
    }

    fn function(&mut self, function: &ComponentFuncType) -> Result<()> {
        self.put(if function.async_ { "async func(" } else { "func(" })?;
        self.list(function.params.iter(), |writer, (name, ty)| {
            writer.put(name)?;
            writer.put(": ")?;
            writer.value(ty)
        })?;
        self.put(")")?;
        if let Some(result) = &function.result {
            self.put(" -> ")?;
            self.value(result)?;
        }
        Ok(())
    }

    fn list<T>(
        &mut self,
        items: impl Iterator<Item = T>,
        mut write: impl FnMut(&mut Self, T) -> Result<()>,
    ) -> Result<()> {
        for (i, item) in items.enumerate() {
            if i > 0 {
                self.put(", ")?;
            }
            write(self, item)?;
        }
        Ok(())
    }

    /// "name<a, b>", or "name" without arguments; None stands as "_".
    fn generic(&mut self, name: &str, args: &[Option<&ComponentValType>]) -> Result<()> {
        self.put(name)?;
        if args.is_empty() {
            return Ok(());
        }
        self.put("<")?;
        self.list(args.iter(), |writer, arg| match arg {
            Some(ty) => writer.value(ty),
            None => writer.put("_"),
        })?;
        self.put(">")
    }

    fn value(&mut self, ty: &ComponentValType) -> Result<()> {
        match ty {
            ComponentValType::Primitive(primitive) => self.put(&primitive.to_string()),
            ComponentValType::Type(id) => {
                let types = self.types;
                self.defined(&types[*id])
            }
        }
    }

    fn defined(&mut self, ty: &ComponentDefinedType) -> Result<()> {
        use ComponentDefinedType::*;
        match ty {
            Primitive(primitive) => self.put(&primitive.to_string()),
            List { element, .. } => self.generic("list", &[Some(element)]),
            Option { ty, .. } => self.generic("option", &[Some(ty)]),
            Map { key, value, .. } => self.generic("map", &[Some(key), Some(value)]),
            Tuple(tuple) => self.generic("tuple", &tuple.types.iter().map(Some).collect::<Vec<_>>()),
            Result { ok: None, err: None, .. } => self.put("result"),
            Result { ok, err: None, .. } => self.generic("result", &[ok.as_ref()]),
            Result { ok, err, .. } => self.generic("result", &[ok.as_ref(), err.as_ref()]),
            Future { ty, .. } => self.generic("future", &ty.iter().map(Some).collect::<Vec<_>>()),
            Stream { ty, .. } => self.generic("stream", &ty.iter().map(Some).collect::<Vec<_>>()),
            Own(_) => self.put("own<resource>"),
            Borrow(_) => self.put("borrow<resource>"),
            FixedLengthList { element, length, .. } => {
                self.put("list<")?;
                self.value(element)?;
                self.put(&format!(", {length}>"))
            }
            Record(record) => {
                self.put("record {")?;
                self.list(record.fields.iter(), |writer, (name, ty)| {
                    writer.put(name)?;
                    writer.put(": ")?;
                    writer.value(ty)
                })?;
                self.put("}")
            }
            Variant(variant) => {
                self.put("variant {")?;
                self.list(variant.cases.iter(), |writer, (name, case)| {
                    writer.put(name)?;
                    match &case.ty {
                        Some(ty) => {
                            writer.put("(")?;
                            writer.value(ty)?;
                            writer.put(")")
                        }
                        None => Ok(()),
                    }
                })?;
                self.put("}")
            }
            Flags(names) => self.names("flags {", names.iter().map(|name| name.as_str())),
            Enum(names) => self.names("enum {", names.iter().map(|name| name.as_str())),
        }
    }

    fn names<'n>(&mut self, open: &str, names: impl Iterator<Item = &'n str>) -> Result<()> {
        self.put(open)?;
        self.list(names, |writer, name| writer.put(name))?;
        self.put("}")
    }
}
