#version 330 core
// Named as pyrender wants it for RenderFlags.FLAT; the lamps are worked out at the vertices (scene.py).
layout(location = 0) in vec3 position;
layout(location = TEXCOORD_0_LOC) in vec2 texcoord_0;
layout(location = TEXCOORD_1_LOC) in vec2 texcoord_1;
layout(location = COLOR_0_LOC) in vec4 color_0;
layout(location = INST_M_LOC) in mat4 inst_m;
uniform mat4 M;
uniform mat4 V;
uniform mat4 P;
out vec2 uv;
out vec2 facing;  // cosine between the normal and each lamp's mirror direction
out vec3 light;

void main() {
    gl_Position = P * V * M * inst_m * vec4(position, 1.0);
    uv = texcoord_0;
    facing = texcoord_1;
    light = color_0.rgb;
}
