#version 330 core
// Diffuse light from the vertices, highlights per pixel. Alpha of the texture is gloss: skin shines broadly and
// faintly, the wet eye has a small sharp light. Squares and roots stand in for the display's power of 2.2.
struct Material {
    sampler2D base_color_texture;
};
uniform Material material;
in vec2 uv;
in vec2 facing;
in vec3 light;
out vec4 colour;

void main() {
    vec4 albedo = texture(material.base_color_texture, uv);
    vec2 s = max(facing, 0.0);
    s *= s; s *= s; s *= s;
    float broad = s.x + 0.4 * s.y;
    s *= s; s *= s; s *= s; s *= s;
    float sharp = s.x + 0.4 * s.y;
    float shine = albedo.a * mix(0.16 * broad, 0.9 * sharp, albedo.a);
    colour = vec4(sqrt(albedo.rgb * albedo.rgb * light + shine), 1.0);
}
