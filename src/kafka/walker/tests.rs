use super::*;
use crate::kafka::shape::Versions;

static SHAPE: Shape = Shape {
    api_key: 3,
    name: "MetadataRequest",
    versions: Versions::new(0, 9),
    flexible_since: 9,
    fields: &[Field::new("topics", Type::Array(&Type::Struct(&[Field::new("name", Type::String)])))
        .nullable_since(1)],
};

#[test]
fn a_hostile_array_count_is_refused_before_anything_is_allocated() {
    assert_eq!(walk(&SHAPE, 1, &[0x7f, 0xff, 0xff, 0xff]), Err(WalkError::BeyondEnd));
}
