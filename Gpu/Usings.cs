// System.Half does not compile to PTX.
global using Half = ILGPU.Half;
